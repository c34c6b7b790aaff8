"""The driver for MySQL and MariaDB: `store` is what passes use, `naming` how a name gets into a statement."""
