"""From samples and a network to scores that are kept. Knows nothing of tables or figures."""
