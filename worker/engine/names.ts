// Names for containers that nobody named, in Docker's form `adjective_surname`; a number is added when the first few tries are taken.
import type { Random } from '#protocol/world';

const ADJECTIVES: readonly string[] = (
  'agile amber awake brave breezy bright brisk calm candid careful cheerful clear clever cosmic crisp curious daring dapper eager early ' +
  'earnest easy elated elegant even fair fancy fearless festive fluent fond frank free fresh friendly gentle gifted glad golden graceful ' +
  'grand happy hardy helpful honest humble ideal jolly joyful keen kind lively logical loyal lucid lucky mellow merry mighty mild modest ' +
  'neat nimble noble patient peaceful plucky polite prompt proud quick quiet rapid ready relaxed serene sharp silent silver sincere smart ' +
  'smooth snug solid sound sparkling spry stable steady still sunny swift tender thrifty tidy tranquil trusty upbeat vivid warm wise witty'
).split(' ');

const SURNAMES: readonly string[] = (
  'abel agnesi allen archimedes babbage backus bardeen bartik bell bernoulli bohr boole borg bose brahmagupta brattain carson cerf chebyshev ' +
  'codd conway curie dahl darwin dijkstra dirac easley edison einstein elgamal engelbart erdos euclid euler faraday fermat fermi feynman ' +
  'fourier franklin gagarin galileo galois gauss germain goldberg goldwasser goodall gray hamilton haslett hawking hertz hopper hypatia ' +
  'jackson jemison johnson joliot kalam kare kepler kilby knuth kovalevskaya lamport leakey leavitt liskov lovelace lumiere mayer mcclintock ' +
  'meitner mendel mirzakhani moore morse nash neumann newton nightingale nobel noether pascal pasteur payne perlman pike planck poincare ' +
  'raman ramanujan ride ritchie roentgen rosalind rubin saha sammet shannon shaw shockley sinoussi stallman swartz tesla thompson torvalds ' +
  'turing varahamihira volhard wescoff wiles williams wilson wozniak wright yalow yonath'
).split(' ');

const TRIES = 8;

/** A free name. */
export function randomName(random: Random, isTaken: (name: string) => boolean): string {
  for (let attempt = 0; ; attempt += 1) {
    const name = `${pick(ADJECTIVES, random)}_${pick(SURNAMES, random)}`;
    const unique = attempt < TRIES ? name : `${name}${attempt - TRIES}`;
    if (!isTaken(unique)) return unique;
  }
}

function pick(words: readonly string[], random: Random): string {
  return words[Math.floor(random.next() * words.length)] ?? 'plain';
}
