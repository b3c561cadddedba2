"""Workers broken on purpose: each mutant is the real package with one safeguard taken out.

The checker proves itself by catching all of them, each by a bound that it names.
"""

from tests.crash.mutants.mends import MENDS
from tests.crash.mutants.safeguards import SAFEGUARDS

MUTANTS = [*SAFEGUARDS, *MENDS]
