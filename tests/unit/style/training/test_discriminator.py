"""The discriminator rates patches, and its replay buffer returns old images in half of the cases."""

from __future__ import annotations

import numpy as np
import torch

from style.training.discriminator import PatchDiscriminator, ReplayBuffer
from style.training.recipes.gan import discriminator_loss


def test_a_full_buffer_returns_old_images_in_half_of_the_cases() -> None:
    buffer, random = ReplayBuffer(4, 2), np.random.default_rng(0)
    for value in range(4):
        assert buffer.swap(torch.full((1, 3, 2, 2), float(value)), random).mean() == value, (
            "while it fills: the new one"
        )
    values = [float(buffer.swap(torch.full((1, 3, 2, 2), float(value)), random).mean()) for value in range(4, 204)]
    old = [value for value, new in zip(values, range(4, 204), strict=True) if value != new]
    assert 0.4 < len(old) / 200 < 0.6
    assert len(set(old)) == len(old), "an image that is returned leaves the buffer"
    assert len(set(buffer.images.mean(dim=(1, 2, 3)).tolist())) == 4


def test_a_buffer_of_no_images_returns_new_ones() -> None:
    generated = torch.rand(3, 3, 2, 2)
    assert torch.equal(ReplayBuffer(0, 2).swap(generated, np.random.default_rng(0)), generated)


def test_the_discriminator_rates_patches_and_can_be_trained_to_tell_them_apart() -> None:
    torch.manual_seed(0)
    discriminator = PatchDiscriminator(4)
    rough, smooth = torch.rand(1, 3, 64, 64), torch.linspace(0, 1, 64).expand(1, 3, 64, 64)
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=1e-2)
    losses = []
    for _ in range(20):
        loss = discriminator_loss(discriminator, rough, smooth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.05 < losses[0]
    assert discriminator(rough).shape == (1, 1, 14, 14)
    assert discriminator(rough).mean() > 0.7 > 0.3 > discriminator(smooth).mean()
