package place

import (
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"tributary/shared/blob/s3"
	"tributary/shared/job"
)

// S3 opens s3://BUCKET/KEY. The environment says which server it is, and gives the
// credentials: see s3.NewReader. Reading goes on after a fault of the network, if the
// object has not changed.
func S3(ctx context.Context, source string) (io.ReadCloser, error) {
	bucket, key := bucketOf(source)
	if wrong := job.CheckPlace(source); wrong != "" || key == "" {
		return nil, fmt.Errorf("want s3://BUCKET/KEY: %w", job.ErrInvalid)
	}
	from, err := s3.NewReader()
	if err != nil {
		return nil, err
	}
	return fetch(ctx, func(ctx context.Context, at int64, tag string) (Part, error) {
		o, err := from.Get(ctx, bucket, key, at, tag)
		return Part{Body: o.Body, From: at, Size: o.Size, Tag: o.Tag}, err
	}, firstPause)
}

// maxListed bounds the objects of a listing, most of which may not be of the source.
const maxListed = 100_000

// ListS3 returns the objects of s3://BUCKET/PREFIX, in order, as s3:// sources: those that
// fit the wildcards of the source, or those directly below the prefix as of a folder. For
// an object, it returns the source itself.
func ListS3(ctx context.Context, source string, most int) ([]string, error) {
	bucket, key := bucketOf(source)
	from, err := s3.NewReader()
	if err != nil {
		return nil, err
	}
	prefix, pattern := "", ""
	if at := strings.IndexAny(key, "*?["); at >= 0 {
		prefix, pattern = key[:at], key
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, fmt.Errorf("the wildcards are malformed: want * and ? for any characters, [a-z] for one of some: %w", job.ErrInvalid)
		}
	} else {
		there, err := from.Has(ctx, bucket, key)
		if err != nil || there {
			return []string{source}, err
		}
		if prefix = strings.TrimSuffix(key, "/") + "/"; key == "" {
			prefix = ""
		}
	}
	var found []string
	listed := 0
	for name, err := range from.List(ctx, bucket, prefix, strings.Contains(strings.TrimPrefix(pattern, prefix), "/")) {
		if err != nil {
			return nil, err
		}
		if listed++; listed > maxListed {
			return nil, fmt.Errorf("over %d objects below %.80q: want a longer prefix before the wildcards: %w", maxListed, prefix, job.ErrInvalid)
		}
		fits := pattern == ""
		if !fits {
			fits, _ = path.Match(pattern, name) // the pattern is well-formed
		}
		if !fits || strings.HasSuffix(name, "/") || strings.HasPrefix(path.Base(name), ".") {
			continue
		}
		if found = append(found, "s3://"+bucket+"/"+name); len(found) > most {
			return nil, fmt.Errorf("over %d objects: want at most that many: %w", most, job.ErrInvalid)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("there is no such object, and none below or with this name: %w", job.ErrInvalid)
	}
	slices.Sort(found)
	return found, nil
}

// bucketOf splits s3://BUCKET/KEY.
func bucketOf(source string) (bucket, key string) {
	bucket, key, _ = strings.Cut(strings.TrimPrefix(source, "s3://"), "/")
	return bucket, key
}
