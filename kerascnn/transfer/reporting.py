"""The report of a finished run, written again."""

from pathlib import Path

from kerascnn import report
from kerascnn._runs import finished
from kerascnn.transfer import _card
from kerascnn.transfer._page import page
from kerascnn.transfer._record import read_record

__all__ = ["write_report"]

_CARD = "model_card.md"


def write_report(folder, path=None):
    """Write the report of a run again, from the files in its folder; no model is opened.

    Lines in it that name the folder are right again after it was moved. Of a run of an older
    version, what its folder does not hold is left out. A model card is made if there is none; one
    that is there may have been edited, and stays.

    Args:
        folder: str or path of a run folder.
        path: str or path of the HTML file; None for report.html in the folder.

    Returns:
        The `pathlib.Path` of the file.

    Raises:
        InputError: it is no run folder, a file in it is damaged, or the page cannot be written.

    >>> write_report("run/")  # doctest: +SKIP
    """
    record, place = read_record(folder), finished(folder)
    if path is None:
        path = Path(folder) / "report.html"
        if not path.with_name(_CARD).exists():
            _card.write(path.with_name(_CARD), record)
    return report.write(path, page(record, place))
