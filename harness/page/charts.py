"""The page's charts as Vega-Lite specifications (Altair).

The specifications refer to their data by name, and the page's script fills the data in. The script also replaces `$X`,
`$Y` and `$TITLE` by the texts of axes and titles, which depend on the choices of the reader.
"""

from __future__ import annotations

from typing import Any

from harness.results.figures.curves import COLOURS

__all__ = ["chart_specs"]

_SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-left")
_DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 4])


def chart_specs() -> dict[str, Any]:
    """Return the chart specifications by name.

    `rate` draws a metric against a rate or a measure of picture quality. `level` draws a metric against the codec's
    level, `parts` draws several metrics, and `recovery` the share of the loss that retraining wins back. The last three
    have a panel for each codec.
    """
    return {"rate": _rate(), "level": _level(), "recovery": _recovery(), "parts": _parts()}


def _tooltip() -> Any:
    import altair as alt

    return [
        alt.Tooltip(f"{name}:N", title=title) for name, title in (("line", " "), ("at", "level"), ("x_text", "$X"))
    ] + [alt.Tooltip("y_text:N", title="$Y")]


def _colours() -> Any:
    import altair as alt

    return alt.Color(
        "codec:N", title="codec", scale=alt.Scale(range=list(COLOURS)), sort=None, legend=alt.Legend(symbolOpacity=1)
    )


def _layers(x: Any) -> Any:
    """Return two charts: each line with its interval band and its points; and the rule of the uncompressed value."""
    import altair as alt

    lines = alt.Chart(alt.NamedData("points"))
    dash = alt.StrokeDash("training:N", title="training", scale=alt.Scale(range=list(_DASHES)), sort=None)
    y = alt.Y("y:Q", title="$Y", scale=alt.Scale(zero=False))
    band = lines.mark_area(opacity=0.16).encode(
        x=x, y=alt.Y("low:Q", title="$Y"), y2="high:Q", color=_colours(), detail="line:N"
    )
    line = lines.mark_line(strokeWidth=2).encode(x=x, y=y, color=_colours(), strokeDash=dash, detail="line:N")
    shape = alt.Shape("codec:N", legend=None, scale=alt.Scale(range=list(_SHAPES)), sort=None)
    dots = lines.mark_point(size=60, filled=True, opacity=1).encode(
        x=x, y=y, color=_colours(), shape=shape, detail="line:N", tooltip=_tooltip()
    )
    base = (
        alt.Chart(alt.NamedData("baseline"))
        .mark_rule(strokeDash=[4, 4])
        .encode(y="y:Q", tooltip=[alt.Tooltip("text:N", title="uncompressed")])
    )
    return band + line + dots, base


def _rate() -> dict[str, Any]:
    import altair as alt

    x = alt.X("x:Q", title="$X", scale=alt.Scale(type="log", nice=False, padding=12), axis=alt.Axis(tickCount=8))
    lines, base = _layers(x)
    return _plain((lines + base).properties(title="$TITLE", height=320))


def _level() -> dict[str, Any]:
    """Return the chart of a metric against the level. Each codec has a panel, as units of levels differ by codec."""
    import altair as alt

    x = alt.X("at:N", title="$X", sort=None, axis=alt.Axis(labelAngle=0))
    lines, _ = _layers(x)
    return _plain(
        lines.properties(height=240)
        .facet(facet=alt.Facet("codec:N", title=None, sort=None), columns=2, title="$TITLE")
        .resolve_scale(x="independent")
    )


def _recovery() -> dict[str, Any]:
    import altair as alt

    shares = alt.Chart(alt.NamedData("shares"))
    x = alt.X("at:N", title="$X", sort=None, axis=alt.Axis(labelAngle=0), scale=alt.Scale(type="band", padding=0.4))
    offset = alt.XOffset("kind:N", sort=None)
    colour = alt.Color("kind:N", title=None, scale=alt.Scale(range=[COLOURS[0], COLOURS[1]]), sort=None)
    bars = shares.mark_rule(strokeWidth=2).encode(x=x, xOffset=offset, y="low:Q", y2="high:Q", color=colour)
    dots = shares.mark_point(size=70, filled=True, opacity=1).encode(
        x=x,
        xOffset=offset,
        y=alt.Y("y:Q", title="share of the loss won back"),
        color=colour,
        shape=alt.Shape("kind:N", legend=None, scale=alt.Scale(range=["circle", "diamond"]), sort=None),
        tooltip=[
            alt.Tooltip("kind:N", title=" "),
            alt.Tooltip("at:N", title="level"),
            alt.Tooltip("text:N", title="share"),
        ],
    )
    zero = shares.mark_rule(strokeDash=[4, 4]).encode(y=alt.datum(0))
    return _plain(
        (zero + bars + dots)
        .properties(height=220)
        .facet(facet=alt.Facet("codec:N", title=None, sort=None), columns=2, title="$TITLE")
        .resolve_scale(x="independent", xOffset="independent")
    )


def _parts() -> dict[str, Any]:
    import altair as alt

    points = alt.Chart(alt.NamedData("points"))
    x = alt.X("at:N", title="$X", sort=None, axis=alt.Axis(labelAngle=0))
    colour = alt.Color("metric:N", title=None, scale=alt.Scale(range=list(COLOURS)), sort=None)
    line = points.mark_line().encode(x=x, y=alt.Y("y:Q", title="$Y"), color=colour)
    bars = points.mark_rule().encode(x=x, y="low:Q", y2="high:Q", color=colour)
    shape = alt.Shape("metric:N", legend=None, scale=alt.Scale(range=list(_SHAPES)), sort=None)
    dots = points.mark_point(size=50, filled=True, opacity=1).encode(
        x=x,
        y="y:Q",
        color=colour,
        shape=shape,
        tooltip=[alt.Tooltip("metric:N", title=" "), *_tooltip()[1:2], *_tooltip()[3:]],
    )
    return _plain(
        (line + bars + dots)
        .properties(height=220)
        .facet(facet=alt.Facet("codec:N", title=None, sort=None), columns=2, title="$TITLE")
        .resolve_scale(x="independent")
    )


def _plain(chart: Any) -> dict[str, Any]:
    """Return a chart's specification without Altair's style; the page's script sets the style for light and dark."""
    spec: dict[str, Any] = chart.to_dict()
    spec.pop("config", None)
    spec.pop("$schema", None)
    return spec
