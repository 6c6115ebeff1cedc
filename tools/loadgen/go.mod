module pratique.dev/loadgen

go 1.24
