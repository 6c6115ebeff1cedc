"""Evidence from outside the object: implementations of `pratique.facts.FactSource` (none is needed by the policies that
there are), and the signers that make evidence."""
