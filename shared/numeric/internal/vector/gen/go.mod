module tributary/shared/numeric/internal/vector/gen

go 1.26.0

