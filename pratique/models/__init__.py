"""Which models a workload loads: references (`reference`), servers and what they are told (`frameworks`, `arguments`),
containers (`containers`)."""
