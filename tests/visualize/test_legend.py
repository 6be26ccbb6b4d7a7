from matplotlib.figure import Figure

from kerascnn.visualize._legend import add_legend


def test_names_stand_as_they_are(tmp_path):
    figure = Figure()
    axes = figure.add_subplot()
    names = ["_hidden_", "$5_10^$", "cat"]
    add_legend(axes, [axes.plot([0, 1], [i, 0])[0] for i in range(3)], names, fontsize=8)
    figure.savefig(tmp_path / "legend.png")  # where mathematics would be read
    assert [text.get_text() for text in axes.get_legend().get_texts()] == names
