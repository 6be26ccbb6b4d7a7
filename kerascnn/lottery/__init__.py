"""Lottery tickets: small networks within large ones that train as well from the same start.

Masks are plain: `{"layer/kernel": bool array of the kernel's shape}`, True where a weight is kept.
"""

from kerascnn.lottery.masks import hold, kept, load_masks, prune, save_masks
from kerascnn.lottery.tickets import Ticket, find_tickets

__all__ = ["Ticket", "find_tickets", "hold", "kept", "load_masks", "prune", "save_masks"]
