/*
 * The numbers of tswarm-layer, each with its reason. Archives come from strangers: everything that
 * an archive can make large has a bound here or on the command line.
 */
#ifndef TSWARM_LAYER_LIMITS_H
#define TSWARM_LAYER_LIMITS_H

enum {
	TAR_BLOCK = 512,
	/* Read from stdin at once; large enough that system calls do not matter. */
	TAR_BUFFER_BYTES = 256 << 10,
	/* All extended headers of one entry together (xattrs included), and the global ones. */
	TAR_HEADER_MAX_BYTES = 1 << 20,
	/* The kernel takes no longer path. */
	PATH_MAX_BYTES = 4095,
	/* Folders above an entry; deeper trees cannot be removed or walked sensibly. */
	PATH_DEPTH_MAX = 256,
	/* The kernel's bounds for extended attributes. */
	XATTR_NAME_MAX_BYTES = 255,
	XATTR_VALUE_MAX_BYTES = 64 << 10,
	/* Of one entry; each is compared with the others. */
	XATTRS_MAX = 256,
	/* Pieces of a sparse file. */
	SPARSE_PIECES_MAX = 1 << 20,
	/* passwd and group of an image: more is no user database but an attack on our memory. */
	USER_FILE_MAX_BYTES = 4 << 20,
};

/* When --max-bytes and --max-entries are not given: far above any image, below any mishap. */
#define APPLY_BYTES_MAX_DEFAULT (UINT64_C(1) << 40)
#define APPLY_ENTRIES_MAX_DEFAULT (UINT64_C(10) * 1000 * 1000)

#endif
