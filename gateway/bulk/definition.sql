-- 核对定义 One definition of what is in doubt between a whole roster and what the gateway expects, for every engine.
--
-- Rules: plain SQL that DuckDB and Spark read alike (no dates, no function of one engine alone); every input is read a
-- bounded number of times and joined by equal keys, so the work grows with the number of rows; only the few persons with
-- several lines are compared with themselves. A doubt is one row, once.
-- Inputs: expectations, lines (columns.py), exclusive (programme_a, programme_b, rule_id; both orders), one_time
-- (programme, rule_id). Steps are made in order and may read the ones before; a doubt's columns are the fields of `Doubt`
-- after the code.

-- step: named
SELECT need_id, min(statement_id || ':' || CAST(line AS VARCHAR(20))) AS line_id, min(person_key) AS first_person,
       max(person_key) AS last_person, min(household_key) AS household_key,
       sum(CASE WHEN status = 'PAID' THEN amount_fen ELSE 0 END) AS paid_fen,
       sum(CASE WHEN status IN ('PAID', 'ACTIVE') THEN 1 ELSE 0 END) AS given,
       sum(CASE WHEN status IN ('STOPPED', 'RETURNED', 'DECEASED') THEN 1 ELSE 0 END) AS ended
FROM lines WHERE need_id IS NOT NULL GROUP BY need_id;

-- step: by_person
SELECT l.person_key, l.programme, l.agency, min(l.statement_id || ':' || CAST(l.line AS VARCHAR(20))) AS line_id,
       sum(CASE WHEN l.status = 'PAID' THEN l.amount_fen ELSE 0 END) AS paid_fen,
       sum(CASE WHEN l.status IN ('PAID', 'ACTIVE') THEN 1 ELSE 0 END) AS given,
       sum(CASE WHEN l.status IN ('STOPPED', 'RETURNED', 'DECEASED') THEN 1 ELSE 0 END) AS ended
FROM lines l JOIN (SELECT DISTINCT person_key FROM expectations WHERE person_key IS NOT NULL) e
  ON e.person_key = l.person_key
WHERE l.need_id IS NULL GROUP BY l.person_key, l.programme, l.agency;

-- step: rivals
SELECT person_key, programme, agency, count(*) AS needs FROM expectations
WHERE person_key IS NOT NULL GROUP BY person_key, programme, agency;

-- step: compared
SELECT e.expectation_id, e.need_id, e.person_key, e.household_key, e.programme, e.status, e.amount_fen, e.m_from,
       coalesce(n.line_id, p.line_id) AS line_id, n.first_person, n.last_person,
       n.household_key AS their_household,
       coalesce(n.paid_fen, 0) + coalesce(p.paid_fen, 0) AS paid_fen,
       coalesce(n.given, 0) + coalesce(p.given, 0) AS given,
       coalesce(n.ended, 0) + coalesce(p.ended, 0) AS ended,
       CASE WHEN p.line_id IS NOT NULL AND r.needs > 1 THEN 1 ELSE 0 END AS shared
FROM expectations e
LEFT JOIN named n ON n.need_id = e.need_id
LEFT JOIN by_person p ON p.person_key = e.person_key AND p.programme = e.programme AND p.agency = e.agency
LEFT JOIN rivals r ON r.person_key = e.person_key AND r.programme = e.programme AND r.agency = e.agency;

-- step: given
SELECT statement_id || ':' || CAST(line AS VARCHAR(20)) AS line_id, office_id, person_key,
       coalesce(household_key, person_key) AS household_key, account_key, programme, status, amount_fen, m_from, m_until,
       paid_on
FROM lines WHERE status IN ('PAID', 'ACTIVE') AND person_key IS NOT NULL;

-- step: several
SELECT g.* FROM given g
JOIN (SELECT person_key FROM given GROUP BY person_key HAVING count(*) > 1) t ON t.person_key = g.person_key;

-- step: spans
SELECT person_key, programme, office_id, m_from, m_until, min(line_id) AS first_id, max(line_id) AS last_id,
       min(amount_fen) AS least_fen
FROM several GROUP BY person_key, programme, office_id, m_from, m_until;

-- step: dead
SELECT person_key, min(m_from) AS died_m FROM lines
WHERE status = 'DECEASED' AND person_key IS NOT NULL AND m_from IS NOT NULL GROUP BY person_key;

-- doubt: MISS_ABSENT_FROM_STATEMENT
SELECT CAST(NULL AS VARCHAR(10)), CAST(NULL AS VARCHAR(10)), expectation_id, need_id, person_key, programme, m_from, amount_fen, CAST(NULL AS BIGINT), 'A05'
FROM compared WHERE line_id IS NULL AND status IN ('PAID', 'APPROVED');

-- doubt: MM_ROSTER
SELECT line_id, CAST(NULL AS VARCHAR(10)), expectation_id, need_id, person_key, programme, CAST(NULL AS INT), CAST(NULL AS BIGINT), paid_fen, 'law5'
FROM compared WHERE given > 0 AND status = 'ASKED'
UNION ALL
SELECT n.line_id, CAST(NULL AS VARCHAR(10)), CAST(NULL AS VARCHAR(10)), n.need_id, n.first_person, CAST(NULL AS VARCHAR(10)), CAST(NULL AS INT), CAST(NULL AS BIGINT), n.paid_fen, 'law5'
FROM named n LEFT JOIN expectations e ON e.need_id = n.need_id WHERE e.need_id IS NULL AND n.given > 0;

-- doubt: MM_PERSON
SELECT line_id, CAST(NULL AS VARCHAR(10)), expectation_id, need_id, person_key, programme, CAST(NULL AS INT), amount_fen, paid_fen, 'A05'
FROM compared
WHERE person_key IS NOT NULL AND first_person IS NOT NULL AND (first_person <> person_key OR last_person <> person_key)
  AND (household_key IS NULL OR their_household IS NULL OR household_key <> their_household);

-- doubt: MM_STATUS
SELECT line_id, CAST(NULL AS VARCHAR(10)), expectation_id, need_id, person_key, programme, CAST(NULL AS INT), amount_fen, paid_fen, 'law9'
FROM compared
WHERE (status = 'REFUSED' AND given > 0) OR (status IN ('PAID', 'APPROVED') AND given = 0 AND ended > 0)
   OR (status = 'ENDED' AND given > 0);

-- doubt: MM_AMOUNT
SELECT line_id, CAST(NULL AS VARCHAR(10)), expectation_id, need_id, person_key, programme, CAST(NULL AS INT), amount_fen, paid_fen, 'A05'
FROM compared WHERE status = 'PAID' AND given > 0 AND paid_fen > 0 AND paid_fen <> amount_fen AND shared = 0;

-- doubt: DUP_PAYMENT
SELECT max(line_id), min(line_id), CAST(NULL AS VARCHAR(10)), CAST(NULL AS VARCHAR(10)), person_key, programme, min(m_from), CAST(NULL AS BIGINT), amount_fen, 'A05'
FROM several WHERE status = 'PAID'
GROUP BY person_key, programme, office_id, m_from, m_until, paid_on, amount_fen HAVING count(*) > 1;

-- doubt: DUP_SAME_PROGRAMME_PERIOD
SELECT max(CASE WHEN a.last_id > b.last_id THEN a.last_id ELSE b.last_id END),
       min(CASE WHEN a.first_id < b.first_id THEN a.first_id ELSE b.first_id END),
       CAST(NULL AS VARCHAR(10)), CAST(NULL AS VARCHAR(10)), a.person_key, a.programme,
       min(CASE WHEN a.m_from > b.m_from THEN a.m_from ELSE b.m_from END), CAST(NULL AS BIGINT),
       min(CASE WHEN a.least_fen < b.least_fen THEN a.least_fen ELSE b.least_fen END), 'CX14'
FROM spans a JOIN spans b ON a.person_key = b.person_key AND a.programme = b.programme
LEFT JOIN one_time o ON o.programme = a.programme
WHERE a.office_id < b.office_id AND o.programme IS NULL AND a.m_from <= b.m_until AND b.m_from <= a.m_until
GROUP BY a.person_key, a.programme;

-- doubt: DUP_EXCLUSIVE_PROGRAMMES
SELECT max(CASE WHEN a.last_id > b.last_id THEN a.last_id ELSE b.last_id END),
       min(CASE WHEN a.first_id < b.first_id THEN a.first_id ELSE b.first_id END),
       CAST(NULL AS VARCHAR(10)), CAST(NULL AS VARCHAR(10)), a.person_key, min(a.programme || '+' || b.programme),
       min(CASE WHEN a.m_from > b.m_from THEN a.m_from ELSE b.m_from END), CAST(NULL AS BIGINT),
       min(CASE WHEN a.least_fen < b.least_fen THEN a.least_fen ELSE b.least_fen END), x.rule_id
FROM spans a JOIN spans b ON a.person_key = b.person_key
JOIN exclusive x ON x.programme_a = a.programme AND x.programme_b = b.programme
WHERE a.programme < b.programme AND a.m_from <= b.m_until AND b.m_from <= a.m_until
GROUP BY a.person_key, a.programme, b.programme, x.rule_id;

-- doubt: DUP_ONE_TIME_REPEATED
SELECT max(s.line_id), min(s.line_id), CAST(NULL AS VARCHAR(10)), CAST(NULL AS VARCHAR(10)), s.person_key, s.programme, max(s.m_from), CAST(NULL AS BIGINT),
       min(s.amount_fen), o.rule_id
FROM several s JOIN one_time o ON o.programme = s.programme
GROUP BY s.person_key, s.programme, o.rule_id
HAVING count(DISTINCT s.m_from) > 1 OR count(DISTINCT s.office_id) > 1;

-- doubt: SHARED_ACCOUNT
SELECT max(line_id), min(line_id), CAST(NULL AS VARCHAR(10)), CAST(NULL AS VARCHAR(10)), CAST(NULL AS VARCHAR(10)), CAST(NULL AS VARCHAR(10)), CAST(NULL AS INT), CAST(NULL AS BIGINT), sum(amount_fen),
       'A05'
FROM given WHERE account_key IS NOT NULL AND status = 'PAID'
GROUP BY account_key HAVING min(household_key) <> max(household_key);

-- doubt: PAID_DECEASED
SELECT min(g.line_id), CAST(NULL AS VARCHAR(10)), CAST(NULL AS VARCHAR(10)), CAST(NULL AS VARCHAR(10)), g.person_key, g.programme, min(g.m_from), CAST(NULL AS BIGINT),
       sum(g.amount_fen), 'A05'
FROM given g JOIN dead d ON d.person_key = g.person_key WHERE g.status = 'PAID' AND g.m_from > d.died_m
GROUP BY g.person_key, g.programme;
