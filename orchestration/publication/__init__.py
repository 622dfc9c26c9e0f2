"""The warehouse file's life: candidate, audit verdict, atomic publication, rollback, and the lock that keeps nights apart."""
