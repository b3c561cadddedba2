"""Patterns that the API server's RE2 and Python's `re` both take, built from their parts. Pure."""


def number_up_to(highest: int) -> str:
    """Decimal numbers from 0 to `highest`, without leading zeros."""
    digits = str(highest)
    choices = ["[1-9]" + "[0-9]" * (length - 1) for length in range(1, len(digits))]
    if len(choices) > 3:
        choices = [f"[1-9][0-9]{{0,{len(digits) - 2}}}"]
    for place, digit in enumerate(digits):
        lowest = 1 if place == 0 else 0
        rest = len(digits) - place - 1
        if int(digit) > lowest:
            choices.append(f"{digits[:place]}[{lowest}-{int(digit) - 1}]" + _any_digits(rest))
    return f"(0|{'|'.join([*choices, digits])})"


def _any_digits(number: int) -> str:
    return {0: "", 1: "[0-9]"}.get(number, f"[0-9]{{{number}}}")


_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# The last label of a name holds a letter: what is digits and dots only is an address, or wrong.
_LAST_LABEL = "([0-9]+[0-9-]*)?[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_OCTET = number_up_to(255)
_IPV4 = rf"{_OCTET}(\.{_OCTET}){{3}}"
_HEX = "[0-9A-Fa-f]{1,4}"
_IPV6 = "|".join(
    [
        f"({_HEX}:){{7}}{_HEX}",
        f"({_HEX}:){{1,7}}:",
        *(f"({_HEX}:){{1,{7 - after}}}(:{_HEX}){{1,{after}}}" for after in range(1, 6)),
        f"{_HEX}:(:{_HEX}){{1,6}}",
        f":(:{_HEX}){{1,7}}",
        "::",
        f"::([Ff]{{4}}:)?{_IPV4}",
    ]
)
_DNS_NAME = rf"({_LABEL}\.)*{_LAST_LABEL}"
HOST = rf"({_IPV4}|{_DNS_NAME}|\[({_IPV6})\])"
"""A DNS name, an IPv4 address, or an IPv6 address in brackets."""

CERTIFIED_NAME = f"^({_IPV4}|{_DNS_NAME}|{_IPV6})$"
"""What a certificate may say of a server: a DNS name, or an address."""

PORT = number_up_to(65535).replace("(0|", "(")
ENDPOINT = f"^{HOST}:{PORT}$"

ENTRY_ID = f"^{number_up_to(2**64 - 1)}-{number_up_to(2**64 - 1)}$"
"""An entry's id: two numbers of 64 bits, written as Redis writes them."""

TIME_ZONE = "^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,3}$"

QUALIFIED_NAME = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"
"""A key of a label, an annotation or a resource."""

LABEL_VALUE = "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"

ENV_NAME = "^[-._a-zA-Z][-._a-zA-Z0-9]*$"
