"""Messages about experiments: one alarm, or a digest of all running experiments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recsys.experiments.analysis.alarms import Alarm
    from recsys.experiments.analysis.analyze import Analysis


@dataclass(frozen=True, slots=True)
class Message:
    """Message to operators.

    Attributes:
        id: name of the message; receivers can drop a repeated one by it.
        subject: first line.
        text: body in plain text.
        content: the same as data, for a webhook.
    """

    id: str
    subject: str
    text: str
    content: Mapping[str, Any]


def alarm_message(alarm: Alarm) -> Message:
    """Return the message of an alarm."""
    subject = f"Experiment {alarm.experiment}: {'harm' if alarm.arm else 'split not as declared'}"
    return Message(alarm.id, subject, f"{alarm.title}\n\n{alarm.words}\n", {"type": "alarm", **asdict(alarm)})


def digest_message(analyses: Sequence[Analysis], now: int, problems: Sequence[str] = ()) -> Message:
    """Return the digest of running experiments; one per day (UTC) has the same id.

    `problems`: why other experiments are not in it.
    """
    day = datetime.fromtimestamp(now, UTC).date().isoformat()
    lines, rows = [], []
    for one in analyses:
        decision = one.decision
        units = ", ".join(f"{name} {count:,}" for name, count in one.units.items())
        shipped = f" {decision.arm}" if decision.arm else ""
        lines.append(f"{one.experiment.key} ({one.days:.1f} days, {units}): {decision.advice}{shipped}")
        lines += [f"  {why}" for why in decision.why]
        rows.append(
            {
                "experiment": one.experiment.key,
                "days": one.days,
                "units": dict(one.units),
                "advice": decision.advice.value,
                "arm": decision.arm,
                "why": list(decision.why),
                "progress": one.look.progress,
            }
        )
    lines += [f"not analyzed: {problem}" for problem in problems]
    text = "\n".join(lines or ["No experiment is running."]) + "\n"
    content = {"type": "digest", "at": now, "experiments": rows, "problems": list(problems)}
    return Message(f"digest/{day}", f"Experiments on {day}", text, content)
