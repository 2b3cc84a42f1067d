// Goal: `docker swarm init` without flags opens the cluster that `tcompose up` made, though the stock client names a subnet size of its own accord.
import { expect, it } from 'vitest';
import { chosenSubnetSize } from '#api/engine/swarm';

it.each([
  [24, true, 0],
  [24, false, 24],
  [26, true, 26],
  [0, true, 0],
])('a size of %i, for a cluster of this host alone %s: %i', (asked, isHostOnly, chosen) => {
  expect(chosenSubnetSize(asked, isHostOnly)).toBe(chosen);
});
