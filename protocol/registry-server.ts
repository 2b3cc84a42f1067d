// Whose credentials an image needs: the name of its registry as `docker login` files them. Used where credentials are read (the command line) and where they are handed on.

/** Docker's name for Docker Hub among the credentials. */
const HUB = 'https://index.docker.io/v1/';

/** `registry.example:5000` of `registry.example:5000/a/b:1`; Docker Hub's own name for names without a registry. */
export function registryServerOf(image: string): string {
  const [first = '', ...rest] = image.split('/');
  const isHost = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  return !isHost || first === 'docker.io' ? HUB : first;
}
