// Goal: a line of a service's log is taken apart as the API writes it, whatever the message looks like.
import { describe, expect, it } from 'vitest';
import { parseLine } from '#cli/tswarm/service/logs';

const LABELS =
  'com.docker.swarm.node.id=n1,com.docker.swarm.service.id=s1,com.docker.swarm.task.id=t1';
const OWN = { nodeId: 'n1', serviceId: 's1', taskId: 't1' };

describe('a line of a log', () => {
  it.each([
    [`${LABELS} hello a=b, c\n`, false, { time: '', details: '', message: 'hello a=b, c\n' }],
    [`${LABELS} \n`, false, { time: '', details: '', message: '\n' }],
    [`T ${LABELS} two\nlines`, true, { time: 'T ', details: '', message: 'two\nlines' }],
    [`${LABELS},k=a%2Cb,z=%20 x`, false, { time: '', details: 'k=a,b,z= ', message: 'x' }],
    [`${LABELS},k=%zz x`, false, { time: '', details: 'k=%zz', message: 'x' }],
    [`${LABELS} ${LABELS} x`, false, { time: '', details: '', message: `${LABELS} x` }],
  ])('%j', (text, hasTime, expected) => {
    expect(parseLine(text, hasTime)).toEqual({ ...OWN, ...expected });
  });

  it('without labels is shown as it is', () => {
    expect(parseLine('plain text', false)).toBeUndefined();
  });
});
