"""All networks beside each other: size, cost, depth and published accuracy.

`overview` gives the rows for the builders of `kerascnn.models`, the networks of
`keras.applications` and any model of yours; `plot_overview` draws accuracy over multiply-adds, with
blobs as large as the parameters. The command `kerascnn models` prints them.

>>> import kerascnn as kc
>>> rows = {row.name: row for row in kc.overview.overview() if row.source == "kerascnn"}
>>> rows["VGG16"].parameters, rows["VGG16"].multiply_adds, rows["VGG16"].top5_error
(138357544, 15470264320, 8.1)
"""

from kerascnn.overview.plot import plot_overview
from kerascnn.overview.rows import Network, overview

__all__ = ["Network", "overview", "plot_overview"]
