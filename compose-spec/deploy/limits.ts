// Bounds that the cluster sets to what a project may ask for; checked here so that the error names
// the line of the file.

/** Docker's smallest memory limit: below it no container starts. */
export const MEMORY_LIMIT_BYTES_MIN: number = 6 * 1024 * 1024;

/** Bytes of one secret, as in Swarm: they are replicated to every manager. */
export const SECRET_BYTES_MAX: number = 500 * 1024;

/** Bytes of one config, as in Swarm. */
export const CONFIG_BYTES_MAX: number = 1000 * 1024;

/** Bytes of a seccomp profile: Docker's own has 15,000; it is in the specification of the service and of each of its tasks. */
export const SECCOMP_BYTES_MAX: number = 128 * 1024;

/** Digits of the content hash in a config's name. */
export const CONFIG_HASH_DIGITS: number = 12;

/** Digits of the content hash in a secret's name: enough to tell versions apart, too few to tell whether a guess is right. */
export const SECRET_HASH_DIGITS: number = 8;

/** Bytes of bind mounts that one service may take along: with other services' they have to fit into one entry of the managers' log (1.5 MiB). */
export const SHIPPED_BYTES_MAX: number = 500 * 1024;

/** Files of bind mounts that are taken along per mount: each is an object of the cluster and a mount in each container. */
export const SHIPPED_FILES_MAX = 100;

/** The tmpfs under a folder that was taken along: it holds folders and empty mount points only. */
export const SHIPPED_TMPFS_BYTES: number = 1024 * 1024;
