"""Time of the two networks in torch and in OpenVINO, in the same run.

    python tests/benchmarks/runtimes.py [--threads 2] [--repeats 15]

Prints the loading time of each network, and for each size the medians of both runtimes in milliseconds and the largest
difference of their outputs. FilmNet's weights are random, as weights do not change the time.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from style.backbone import load_backbone
from style.embedding import StyleStatistics
from style.runtime import RunnableNetwork, Runtime, compile_network
from style.transfer.film import FilmNet
from style.vector import DIMENSIONS

Inputs = tuple[Tensor, ...]


def film_inputs(batch: int, height: int, width: int) -> Inputs:
    return torch.rand(batch, 3, height, width), torch.randn(batch, DIMENSIONS) / 11, torch.ones(batch, 1, height, width)


def masked_images(batch: int, height: int, width: int) -> Inputs:
    return torch.rand(batch, 3, height, width), torch.rand(batch, 1, height, width)


def random_film() -> FilmNet:
    torch.manual_seed(0)
    network = FilmNet().eval().requires_grad_(False)
    for weights in network.parameters():
        weights.add_(0.02 * torch.randn_like(weights))
    return network


def measure(
    title: str,
    module: nn.Module,
    draw: Callable[[int, int, int], Inputs],
    sizes: list[tuple[int, int, int]],
    repeats: int,
) -> None:
    networks: dict[Runtime, RunnableNetwork] = {}
    for runtime in Runtime:
        start = time.perf_counter()
        networks[runtime] = compile_network(module, draw(1, 64, 96), runtime)
        print(f"{title}: {networks[runtime].name} ready in {time.perf_counter() - start:.2f} s")
    print(f"{'':24}{'torch':>9}{'openvino':>10}{'times':>7}{'difference':>12}")
    for size in sizes:
        inputs = draw(*size)
        ours, theirs = networks[Runtime.OPENVINO](*inputs), networks[Runtime.TORCH](*inputs)
        difference = max(float((a - b).abs().max()) for a, b in zip(ours, theirs, strict=True))
        slow, quick = (median_ms(networks[runtime], inputs, repeats) for runtime in (Runtime.TORCH, Runtime.OPENVINO))
        name = " x ".join(map(str, size))
        print(f"{name:24}{slow:9.1f}{quick:10.1f}{slow / quick:7.1f}{difference:12.1e}")


def median_ms(network: RunnableNetwork, inputs: Inputs, repeats: int) -> float:
    times = []
    for _ in range(2 + repeats):
        start = time.perf_counter()
        network(*inputs)
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[2:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"{arguments.threads} threads, medians of {arguments.repeats}, ms")
    pictures = [(1, 256, 256), (1, 256, 192), (1, 512, 512), (10, 256, 256)]
    measure("FilmNet", random_film(), film_inputs, pictures, arguments.repeats)
    statistics_of = StyleStatistics(load_backbone("vgg-slim")).eval()
    measure("StyleStatistics", statistics_of, masked_images, [(1, 224, 224), (1, 256, 192)], arguments.repeats)


if __name__ == "__main__":
    main()
