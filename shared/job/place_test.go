package job_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

// No fault of an address shows the address, in which a secret may be anywhere.
func TestAddressesOfPlaces(t *testing.T) {
	for source, want := range map[string]string{
		"a.csv": "", "nats:b/o": "", "sqlite:a.db": "", "postgres://u@h:5432/d?sslmode=require": "", "postgresql:///d": "",
		"https://h/a.csv?format=csv&page=2": "", "http://h:8080/a%20b.csv": "", "s3://bucket/a b@c.csv": "", "s3://bucket": "",
		"https://u:Mark3d@h/a.csv":           "has a user or a password",
		"https://Mark3d@h/a.csv":             "has a user or a password",
		"https://h/a.csv?token=Mark3d":       "looks like a secret",
		"https://h/a?X-Amz-Signature=Mark3d": "looks like a secret",
		"https://h/a?sig=Mark3d":             "looks like a secret",
		"https://h/a.csv#Mark3d":             "cannot be read",
		"https:///a.csv?a=Mark3d":            "names no host",
		"s3://Mark3d:x@bucket/a":             "names no bucket",
		"s3:///a/Mark3d":                     "names no bucket",
		"postgres://u:Mark3d@h/d":            "has a password",
		"postgres://u:Mark3d/x@h/d":          "cannot be read",
		"postgres://u:@h/d":                  "has a password",
		"postgres://h/d?password=Mark3d":     "parameter that is not allowed",
		"postgres://h/d?Mark3d=1":            "parameter that is not allowed",
		"postgres://h/d?passfile=/Mark3d":    "parameter that is not allowed",
		"postgres://h/d#Mark3d":              "cannot be read",
		"postgres://h/":                      "names no database",
		"postgres://u%zzMark3d@h/d":          "cannot be read",
		"postgres://h/d?sslmode=%zzMark3d":   "parameters that cannot be read",
	} {
		wrong := job.CheckPlace(source)
		if want == "" {
			require.Empty(t, wrong, source)
			continue
		}
		require.Contains(t, wrong, want, source)
		require.NotContains(t, wrong, "Mark3d")
		s := valid()
		s.Data.Source, s.Data.Format, s.Data.Query = source, job.SQL, "SELECT 1"
		s.Model.Init.From, s.Model.Init.Scheme = source, ""
		require.ErrorContains(t, s.Validate(), "model.init.from: the address")
		require.NotContains(t, s.Validate().Error(), "Mark3d")
		err := s.Validate()
		require.ErrorIs(t, err, job.ErrInvalid)
		require.ErrorContains(t, err, "data.source: the address")
		require.NotContains(t, err.Error(), "Mark3d")
		s.Data.Format = job.CSV
		require.NotContains(t, s.Validate().Error(), "Mark3d")
	}
}

func TestQueriesBelongToDatabases(t *testing.T) {
	s := valid()
	s.Data.Source, s.Data.Format, s.Data.Query, s.Data.TestQuery = "sqlite:a.db", "", "SELECT 1", "SELECT 2"
	s.Default()
	require.Equal(t, job.SQL, s.Data.Format)
	require.Equal(t, "sqlite:a.db", s.Data.Test, "the test rows come from the same database")
	require.NoError(t, s.Validate())
	s.Data.Query, s.Data.TestQuery, s.Data.CSV = " ", "", &job.CSVOptions{}
	require.EqualError(t, s.Validate(), "data.query: missing: want the statement that gives the rows, as SELECT … FROM … ORDER BY …\n"+
		"data.test_query: missing: want the statement that gives the rows of data.test\ndata.csv: only for format csv")
	s = valid()
	s.Data.Query = "SELECT 1"
	require.EqualError(t, s.Validate(), `data.query: "SELECT 1": only for format sql`)
	s.Data.Query, s.Data.Test = "", "postgres://u@h/d"
	require.EqualError(t, s.Validate(), `data.test: "postgres://h/d": a database is read with format sql, not csv`)
	s.Data.Source, s.Data.Format, s.Data.Query, s.Data.Test = "a.csv", job.SQL, "SELECT 1", ""
	require.EqualError(t, s.Validate(), `data.source: "a.csv": with format sql want a database: postgres://USER@HOST/DATABASE or sqlite:PATH`)
}
