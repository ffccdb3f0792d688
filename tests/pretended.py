"""A device that is none, for machines without a graphics card: its tensors are the processor's, and say they are not.

As on a card, an operation on tensors of two devices is refused, but for scalars and indices, and so are generators of
random numbers that belong to the processor. What is computed is the processor's, bit for bit. The device is there for
the whole process that imports this, in which tests of other things should not run.
"""

import contextlib

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "pretended"
ATEN = torch.ops.aten
MOVES = {ATEN._to_copy.default, ATEN.copy_.default}
INDEXED = {ATEN.index.Tensor, ATEN.index_put.default, ATEN.index_put_.default, ATEN._index_put_impl_.default}


class Away(Tensor):
    """A tensor on the device that is none; `here` is what it holds."""

    @staticmethod
    def __new__(cls, here: Tensor):
        about = {"strides": here.stride(), "storage_offset": here.storage_offset(), "dtype": here.dtype}
        return Tensor._make_wrapper_subclass(cls, here.shape, **about, device=torch.device(NAME, 0))

    def __init__(self, here: Tensor):
        self.here = here

    def __repr__(self) -> str:
        return f"Away({self.here!r})"

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return call(function, args, kwargs or {})


class Watch(TorchDispatchMode):
    """Sees what no tensor of the device takes part in, such as making the first."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return call(function, args, kwargs or {})


def here(x):
    return x.here if isinstance(x, Away) else x


def call(function, args, kwargs):
    """Do it on the processor, if it could be done on a card."""
    tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
    away = any(isinstance(x, Away) for x in tensors)
    if away and function not in MOVES:
        for x in tensors[:1] if function in INDEXED else tensors:
            if not isinstance(x, Away) and x.dim() > 0:
                raise RuntimeError(f"{function}: expected all tensors to be on the same device")
    if kwargs.get("device") is not None:
        away, kwargs = kwargs["device"].type == NAME, kwargs | {"device": torch.device("cpu")}
    elif function is ATEN.copy_.default:
        away = isinstance(args[0], Away)
    if away and kwargs.get("generator") is not None:
        raise RuntimeError(f"{function}: expected a generator of the device")
    result = function(*tree_map(here, args), **tree_map(here, kwargs))
    if function._schema.name.endswith("_"):  # in place
        return args[0]
    return tree_map(lambda x: Away(x) if isinstance(x, Tensor) else x, result) if away else result


def _empty_strided(size, stride, dtype=None, **options):
    return Away(torch.empty_strided(size, stride, dtype=dtype))


def _copy(to: Away, source: Tensor, non_blocking: bool = False):
    to.here.copy_(here(source))
    return to


_setup_privateuseone_for_python_backend(NAME)
_LIBRARY = torch.library.Library("aten", "IMPL")  # for lists that index a tensor, which come past the watch
_LIBRARY.impl("empty_strided", _empty_strided, "PrivateUse1")
_LIBRARY.impl("copy_", _copy, "PrivateUse1")


@contextlib.contextmanager
def pretended():
    """Within, tensors can be made on the device of this name."""
    before, torch.autocast = torch.autocast, lambda *args, **kwargs: contextlib.nullcontext()
    with Watch():
        yield NAME
    torch.autocast = before
