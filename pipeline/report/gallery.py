"""Samples with what the network makes of them, as pictures where they are pictures."""

from __future__ import annotations

from pipeline.report.contents import Sample, Samples
from pipeline.report.markup import Html, Node, both, element, joined

_WRONG_MARK, _RIGHT_MARK = "✗", "✓"


def section(samples: Samples) -> Html:
    """The wrong ones first, each with prediction, truth and certainty."""
    wrong = [s for s in samples.samples if s.predicted != s.label]
    right = [s for s in samples.samples if s.predicted == s.label]
    parts = [element("p", _told(samples, len(wrong)))]
    parts += [
        _group(both("Wrong", "错误"), wrong),
        _group(both("Right, the least certain first", "正确（由最不确定起）"), right),
    ]
    return joined(parts)


def _told(samples: Samples, shown_wrong: int) -> Html:
    if samples.wrong == 0:
        return both(f"All {samples.total:,} are right.", f"全部 {samples.total:,} 个样本预测正确。")
    english = f"{samples.wrong:,} of {samples.total:,} are wrong"
    chinese = f"{samples.total:,} 个样本中 {samples.wrong:,} 个错误"
    if shown_wrong < samples.wrong:
        english += f"; here are the {shown_wrong} of them that were the most certain"
        chinese += f"，此处为其中最确信的 {shown_wrong} 个"
    return both(f"{english}.", f"{chinese}。")


def _group(title: Html, samples: list[Sample]) -> Html:
    if not samples:
        return Html("")
    tiles = element("ul", *map(_tile, samples), class_="tiles")
    return joined([element("h3", title), tiles])


def _tile(sample: Sample) -> Html:
    is_right = sample.predicted == sample.label
    told = f"sample {sample.index}: predicted {sample.predicted}, is {sample.label}"
    source = f"data:image/png;base64,{sample.png}"
    picture = element("img", src=source, alt=told, title=told) if sample.png else None
    mark = _RIGHT_MARK if is_right else _WRONG_MARK
    words: list[Node] = [element("b", f"{mark} {sample.predicted}")]
    if not is_right:
        words.append(element("span", both(f"is {sample.label}", f"实为 {sample.label}")))
    percent = f"{int(max(0.0, min(sample.probability, 1.0)) * 100)} %"
    words.append(element("small", f"#{sample.index} · {percent}"))
    return element("li", picture, joined(words), class_="right" if is_right else "wrong")
