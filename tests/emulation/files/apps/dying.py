"""An app that ends its process in the middle of a run, at its fifth mapping."""

import os

from honest import Honest


class Dying(Honest):
    def map(self, *asked):
        if len(self.inside) == 4:
            print("I am gone", flush=True)
            os._exit(3)
        return super().map(*asked)
