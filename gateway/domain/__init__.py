"""业务领域 The nouns, the state tables, the rules and the checks; standard library only."""
