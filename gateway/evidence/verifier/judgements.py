"""判定复算 Findings that carry a row of the rule table and its inputs are computed again: by that row, of those inputs.

What the inputs say is the gateway's word; that they make a doubt under this row is what is proven here. A finding whose
own row and inputs make none was made up, or changed. A row that is none of the table this program brings may be another
version's: that is said, and left open.
"""

from gateway.domain.coexistence import load_coexistence
from gateway.domain.same_help import recompute
from gateway.errors import ConfigError
from gateway.evidence.contents import Contents
from gateway.evidence.verifier.conclusions import Conclusions


def check_judgements(contents: Contents, found: Conclusions) -> None:
    """Each finding once."""
    right, table = 0, [rule.as_row() for rule in load_coexistence()]
    for row in contents.judgements:
        subject = f"{row['code']} {row['rule_id']}"
        try:
            is_doubt = recompute(row["rule_row"], row["inputs"])
        except ConfigError:
            found.add("judgement_unreadable", subject)
            continue
        if row["rule_row"] not in table:
            found.add("judgement_rule_other", subject)
        if is_doubt:
            right += 1
        else:
            found.add("judgement_not_reproduced", subject)
    if right:
        found.add("judgements_reproduced", contents.referral_id, count=right)
