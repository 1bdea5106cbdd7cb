"""The confusion matrix: no sample is lost when classes are many."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.report import matrix
from pipeline.report.contents import Results
from tests.report.folders import results
from tests.report.test_markup import seen


@given(st.integers(1, 90))
def test_summing_up_loses_no_sample(classes: int) -> None:
    """Each class is in one group, there are at most twenty, and the counts stay."""
    counts = [[(i * 7 + j * 3) % 5 for j in range(classes)] for i in range(classes)]

    groups = matrix.grouped(classes)
    found = matrix.summed(counts, groups)

    assert [number for group in groups for number in group] == list(range(classes))
    assert len(groups) <= matrix.MOST_CLASSES
    assert sum(map(sum, found)) == sum(map(sum, counts))


def test_mistakes_are_listed_from_the_most_frequent_on() -> None:
    """The diagonal is no mistake; equals stand in the order of their classes."""
    found = matrix.confusions([[5, 1, 0], [3, 9, 1], [0, 0, 2]])

    assert found == [(1, 0, 3), (0, 1, 1), (1, 2, 1)]


def test_a_perfect_result_has_no_mistakes() -> None:
    """It says so in place of an empty list."""
    perfect = {**results(2), "confusion_matrix": [[3, 0], [0, 4]]}

    found = seen(matrix.section(Results.model_validate(perfect))).text

    assert "No sample was taken for another class." in found


def test_up_to_twenty_classes_every_count_is_written() -> None:
    """A heat map of twenty classes has all its numbers; of more it says that it sums up."""
    twenty = seen(matrix.section(Results.model_validate(results(20))))
    more = seen(matrix.section(Results.model_validate(results(21)))).text

    cells = [v for n, v in twenty.attributes if n == "style" and v and v.startswith("--depth")]
    assert len(cells) == 400
    assert "summed up" not in twenty.text
    assert "21 classes, summed up in 11 groups of neighbours" in more
