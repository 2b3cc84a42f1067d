// The command lines of tswarm and tcompose that the tests of this process have run, program first: `['tcompose', 'up', '-d']`. test-node.ts writes them
// down; whoever starts a program in another way (a terminal, a shell) does so itself.
export const commandLines: (readonly string[])[] = [];
