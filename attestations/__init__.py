"""Evidence from outside the object: implementations of `pratique.facts.FactSource`. None is needed by the policies
that there are."""
