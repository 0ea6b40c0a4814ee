"""From plan to wire: the attempts of a plan, made by hosts through a NAT, beside formulas and simulation.

course        the plan's attempts, in the lab's time
places        the hosts and servers of the lab that stand for those of the plan
alike         the same attempts in the core, at the times at which they came
figures, rows the shares beside one another: all in all, by class, and by protocol
replay        the scenario for plain calls
many          the one for all else; subscribers and trace say where its attempts come from
"""
