module github.com/groupkit/groupkit/bench

go 1.26.0

replace github.com/groupkit/groupkit => ../

require github.com/groupkit/groupkit v0.0.0-00010101000000-000000000000
