"""流程 One file per step from a referral to a reconciled outcome; read these first."""
