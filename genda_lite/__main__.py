"""`python -m genda_lite`, which `torchrun` needs."""

from .cli import main

main()
