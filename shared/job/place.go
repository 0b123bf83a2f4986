package job

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Sources outside of files have an address with a scheme.

// The schemes of the databases of format sql.
const (
	postgresScheme   = "postgres://"
	postgresqlScheme = "postgresql://"
	sqliteScheme     = "sqlite:"
)

// IsDatabase reports whether a source is a database, which is read with a query.
func IsDatabase(source string) bool { return IsPostgres(source) || IsSQLite(source) }

// IsPostgres reports whether a source is a PostgreSQL database.
func IsPostgres(source string) bool {
	return strings.HasPrefix(source, postgresScheme) || strings.HasPrefix(source, postgresqlScheme)
}

// IsSQLite reports whether a source is a file of SQLite.
func IsSQLite(source string) bool { return strings.HasPrefix(source, sqliteScheme) }

// IsWeb reports whether a source is a file that comes over http or https.
func IsWeb(source string) bool {
	return strings.HasPrefix(source, "https://") || strings.HasPrefix(source, "http://")
}

// IsS3 reports whether a source is an object of an S3 server, or several of them.
func IsS3(source string) bool { return strings.HasPrefix(source, "s3://") }

// postgresParameters are the parameters that the address of a PostgreSQL database may have.
var postgresParameters = []string{"sslmode", "sslrootcert", "connect_timeout", "target_session_attrs", "search_path", "statement_timeout"}

// CheckPlace returns what is wrong with the address of a source outside of files, or "". A
// spec is stored and shown, so an address must not have a secret. The sentence does not show
// the address, because a secret may be anywhere in it.
func CheckPlace(source string) string {
	switch {
	case IsPostgres(source):
		return checkPostgres(source)
	case IsWeb(source):
		return checkWeb(source)
	case IsS3(source) && !bucketName.MatchString(source):
		return "the address names no bucket: want s3://BUCKET/KEY; the credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
	}
	return ""
}

// bucketName matches an address that begins with the name of a bucket.
var bucketName = regexp.MustCompile(`^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/|$)`)

// secretParameter matches the names of parameters that are secrets, as in signed addresses.
var secretParameter = regexp.MustCompile(`(?i)(token|secret|passw|signature|credential|api_?key|access_?key|auth)|^(sig|key|pw|pwd)$`)

func checkWeb(source string) string {
	u, err := url.Parse(source)
	switch {
	case err != nil || u.Fragment != "" || strings.Contains(u.Path+u.RawQuery, "@"):
		return "the address cannot be read: want https://HOST/PATH, with % as %25, # as %23 and @ as %40 in the path"
	case u.User != nil:
		return "the address has a user or a password, which would be stored and shown with the spec: want the address of a file that anybody may read"
	case u.Hostname() == "":
		return "the address names no host: want https://HOST/PATH"
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "the address has parameters that cannot be read"
	}
	for name := range query {
		if secretParameter.MatchString(name) {
			return "the address has a parameter that looks like a secret, which would be stored and shown with the spec: want the address of a file that anybody may read"
		}
	}
	return ""
}

func checkPostgres(source string) string {
	u, err := url.Parse(source)
	switch {
	case err != nil || u.Fragment != "" || strings.Contains(u.Path+u.RawQuery, "@"):
		return "the address cannot be read: want postgres://USER@HOST:PORT/DATABASE"
	case hasPassword(u):
		return "the address has a password, which would be stored and shown with the spec: leave it out, and give it to the program as PGPASSWORD or in a file that PGPASSFILE names"
	case strings.Trim(u.Path, "/") == "":
		return "the address names no database: want postgres://USER@HOST:PORT/DATABASE"
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "the address has parameters that cannot be read"
	}
	for name := range query {
		if !slices.Contains(postgresParameters, name) {
			return "the address has a parameter that is not allowed: want one of " + commas(postgresParameters)
		}
	}
	return ""
}

func hasPassword(u *url.URL) bool {
	_, ok := u.User.Password()
	return ok
}

// validatePlaces checks the addresses of sources, and what belongs to databases alone.
func (d *Data) validatePlaces(fs *faults) {
	for _, s := range d.Sources() {
		if wrong := CheckPlace(*s.Name); wrong != "" {
			fs.at(s.Field, "%s", wrong)
		} else if *s.Name != "" && IsDatabase(*s.Name) != (d.Format == SQL) {
			if d.Format == SQL {
				fs.at(s.Field, "%.80q: with format sql want a database: postgres://USER@HOST/DATABASE or sqlite:PATH", showSource(*s.Name))
			} else {
				fs.at(s.Field, "%.80q: a database is read with format sql, not %s", showSource(*s.Name), d.Format)
			}
		}
	}
	if d.Format != SQL || d.Inline != nil {
		d.only(fs, "format sql", named{"query", d.Query}, named{"test_query", d.TestQuery}, named{"validation_query", d.ValidationQuery})
		return
	}
	if strings.TrimSpace(d.Query) == "" {
		fs.at("data.query", "missing: want the statement that gives the rows, as SELECT … FROM … ORDER BY …")
	}
	if d.SHA256 != "" {
		fs.at("data.sha256", "%s: only for a file, not for format sql", d.SHA256)
	}
	if d.Test != "" && strings.TrimSpace(d.TestQuery) == "" {
		fs.at("data.test_query", "missing: want the statement that gives the rows of data.test")
	}
	if d.Validation != "" && strings.TrimSpace(d.ValidationQuery) == "" {
		fs.at("data.validation_query", "missing: want the statement that gives the rows of data.validation")
	}
}

// showSource is a source without what may be a secret in its address.
func showSource(source string) string {
	scheme, rest, ok := strings.Cut(source, "://")
	if !ok {
		return source
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	rest, _, _ = strings.Cut(rest, "?")
	return scheme + "://" + rest
}
