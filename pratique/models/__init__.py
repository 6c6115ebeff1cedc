"""Which models a workload loads, and which datasets it reads: references (`reference`), servers and what they are told
(`frameworks`, `arguments`), datasets (`datasets`), containers (`containers`)."""
