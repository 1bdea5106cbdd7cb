"""Which class is taken for which: the confusion matrix as a heat map, and each class's scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.report.contents import ClassRow, Results
from pipeline.report.markup import Html, Node, both, element, joined
from pipeline.report.tables import folded, scrolling, table

# More classes than these make numbers that nobody can read.
MOST_CLASSES = 20
_MOST_PAIRS = 20
_MOST_SCORES = 50
# From here on dark letters cannot be read on the colour.
_DEEP = 0.55
# One mistake among thousands is still to be seen.
_LEAST_WRONG = 0.28

Matrix = Sequence[Sequence[int]]


def section(results: Results) -> Html:
    """Heat map, the most confused pairs, and the table of classes."""
    matrix = results.confusion_matrix
    parts: list[Html] = []
    if matrix:
        parts.append(element("div", _heat_map(matrix), _pairs(matrix), class_="pair"))
    if results.per_class:
        parts.append(_scores(results.per_class))
    return joined(parts)


def _heat_map(matrix: Matrix) -> Html:
    groups = grouped(len(matrix))
    counts = summed(matrix, groups)
    names = [_name(group) for group in groups]
    highest = max((max(row) for row in counts), default=0) or 1
    corner = element("th", both("is ↓ taken for →", "实际 ↓ 预测 →"), class_="corner")
    head = element("tr", corner, *(element("th", name, scope="col") for name in names))
    rows = [head]
    for i, row in enumerate(counts):
        cells = (_cell(count, highest, is_right=i == j) for j, count in enumerate(row))
        rows.append(element("tr", element("th", names[i], scope="row"), *cells))
    found = scrolling(element("table", *rows, class_="heat"))
    if len(groups) == len(matrix):
        return found
    english = f"{len(matrix):,} classes, summed up in {len(groups)} groups of neighbours; "
    chinese = f"共 {len(matrix):,} 类，相邻类别合并为 {len(groups)} 组；"
    note = both(f"{english}all counts are in metrics.json.", f"{chinese}全部计数见 metrics.json。")
    return element("div", found, element("p", note))


def grouped(classes: int) -> list[range]:
    """The classes, in groups of neighbours where there are many.

    >>> grouped(3), grouped(50)[:2]
    ([range(0, 1), range(1, 2), range(2, 3)], [range(0, 3), range(3, 6)])
    """
    size = -(-classes // MOST_CLASSES) if classes > MOST_CLASSES else 1
    return [range(start, min(start + size, classes)) for start in range(0, classes, size)]


def summed(matrix: Matrix, groups: Sequence[range]) -> list[list[int]]:
    """The counts of groups; no sample is lost."""
    if len(groups) == len(matrix):
        return [list(row) for row in matrix]
    narrow = [[sum(row[group.start : group.stop]) for group in groups] for row in matrix]
    return [
        [sum(row[j] for row in narrow[group.start : group.stop]) for j in range(len(groups))]
        for group in groups
    ]


def _name(group: range) -> str:
    return str(group.start) if len(group) == 1 else f"{group.start}–{group.stop - 1}"


def _cell(count: int, highest: int, *, is_right: bool) -> Html:
    # Few mistakes are what one looks for: the root makes them visible beside many right ones.
    least = 0.0 if is_right else _LEAST_WRONG
    depth = max((count / highest) ** 0.5, least) if count > 0 else 0.0
    kinds = ["right" if is_right else "wrong", *(["deep"] if depth > _DEEP else [])]
    word: Node = f"{count:,}" if count else element("span", "0", class_="none")
    return element("td", word, class_=" ".join(kinds), style=f"--depth:{depth:.3f}")


def confusions(matrix: Matrix) -> list[tuple[int, int, int]]:
    """Each mistake that was made, as (label, prediction, count), the most frequent first."""
    found = [
        (label, predicted, count)
        for label, row in enumerate(matrix)
        for predicted, count in enumerate(row)
        if label != predicted and count > 0
    ]
    return sorted(found, key=lambda pair: (-pair[2], pair[0], pair[1]))


def _pairs(matrix: Matrix) -> Html:
    found = confusions(matrix)
    if not found:
        return element("p", both("No sample was taken for another class.", "没有样本被误判。"))
    total = sum(count for _, _, count in found)
    title = both(f"Most confused of {total:,} mistakes", f"{total:,} 个误判中最常见的")
    heads = [both("class", "实际"), both("taken for", "误判为"), both("samples", "样本数")]
    rows: list[list[Node]] = [[str(a), str(b), f"{n:,}"] for a, b, n in found[:_MOST_PAIRS]]
    parts = [element("h3", title), table(heads, rows, numbers=(0, 1, 2))]
    if len(found) > _MOST_PAIRS:
        left = f"{len(found) - _MOST_PAIRS:,}"
        parts.append(element("p", both(f"and {left} rarer pairs", f"另有 {left} 种较少见")))
    return element("div", *parts, class_="narrow")


def _scores(per_class: Sequence[ClassRow]) -> Html:
    heads = [
        *(both("class", "类别"), both("precision", "精确率"), both("recall", "召回率")),
        *(both("F1", "F1 值"), both("samples", "样本数")),
    ]
    worst = sorted(per_class, key=lambda row: row.f1)[:_MOST_SCORES]
    is_whole = len(per_class) <= _MOST_SCORES
    rows = [list(_score(row)) for row in (per_class if is_whole else worst)]
    found = table(heads, rows, numbers=range(5), class_="scores")
    if is_whole:
        return folded(both("Scores of each class", "各类别指标"), found, is_printed=True)
    title = both(
        f"The {_MOST_SCORES} worst of {len(per_class):,} classes",
        f"{len(per_class):,} 类中最差的 {_MOST_SCORES} 类",
    )
    note = both("The others are in metrics.json.", "其余见 metrics.json。")
    return folded(title, joined([found, element("p", note)]))


def _score(row: ClassRow) -> Iterator[Node]:
    yield str(row.label)
    for value in (row.precision, row.recall, row.f1):
        share = min(max(value, 0.0), 1.0)
        yield element("span", f"{value:.3f}", class_="bar", style=f"--share:{share:.3f}")
    yield f"{row.support:,}"
