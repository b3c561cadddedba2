"""A screen of text as SVG."""

from html import escape

SIZE, LINE, MARGIN = 14, 20, 18
CHARACTER = 0.602 * SIZE
"""Width of a character in most monospaced fonts."""


def drawn(command: str, lines: list[str]) -> str:
    """The command after its prompt, and what it printed."""
    shown = [f"$ {command}", *lines]
    width = round(max(map(len, shown)) * CHARACTER + 2 * MARGIN)
    height = len(shown) * LINE + 2 * MARGIN
    rows = [
        f'<text x="{MARGIN}" y="{MARGIN + LINE * number + SIZE}" '
        f'fill="{"#8fd3a5" if number == 0 else "#e8eaed"}">{escape(line)}</text>'
        for number, line in enumerate(shown)
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" '
        f'font-size="{SIZE}" xml:space="preserve">'
    )
    frame = f'<rect width="{width}" height="{height}" rx="6" fill="#1f2329"/>'
    return "\n".join([head, frame, *rows, "</svg>", ""])
