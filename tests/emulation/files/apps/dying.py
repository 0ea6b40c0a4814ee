"""An app that ends its process in the middle of a run, at its fifth mapping."""

import os

from whole_nat import WholeNat


class Dying(WholeNat):
    def map(self, *asked):
        if len(self.inside) == 4:
            print("I am gone", flush=True)
            os._exit(3)
        return super().map(*asked)
