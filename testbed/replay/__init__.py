"""From plan to wire: the attempts of a plan, made by hosts through a NAT, beside formulas and simulation."""
