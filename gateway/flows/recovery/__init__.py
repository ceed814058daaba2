"""恢复 After an older copy of the database was restored: what the gateway had signed since is taken back from partners.

1. `take`: partners give back what they hold; each line proves itself by the signatures in it and is kept;
2. `standing`: who has given everything back, which numbers are still missing, what could not be proven;
3. `resume`: in one commit everything is put in its place in the order of our own log, a `recovery` leaf says what was
   lost, and the log goes on under the next epoch's name. Nothing is signed before that.

Partners hold messages and receipts. What they do not hold (keys, offices, decisions, views) is the operator's to mend.
"""
