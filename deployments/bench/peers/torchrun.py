"""torchrun for Debian 12, whose torch 1.13 iterates an IntFlag; in Python 3.11 that no longer yields the
member zero, so that /usr/bin/torchrun ends with "'NoneType' object has no attribute 'get'". This mends
only that and calls the real one."""
from torch.distributed.elastic.multiprocessing import api

_from_str = api.Std.from_str.__func__


def _mended(cls, text):
    std = _from_str(cls, text)
    if isinstance(std, dict):
        return {k: api.Std.NONE if v is None else v for k, v in std.items()}
    return api.Std.NONE if std is None else std


api.Std.from_str = classmethod(_mended)

if __name__ == "__main__":
    from torch.distributed.run import main

    main()
