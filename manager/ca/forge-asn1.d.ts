// Types of the two parts of node-forge that we use; the package's own types bring all of Node's
// types into pure code.
declare module 'node-forge/lib/asn1.js' {
  interface Asn1 {
    readonly tagClass: number;
    readonly type: number;
    readonly constructed: boolean;
    readonly value: string | Asn1[];
  }
  const asn1: {
    readonly Class: { readonly UNIVERSAL: 0; readonly CONTEXT_SPECIFIC: 128 };
    readonly Type: {
      readonly BOOLEAN: 1;
      readonly INTEGER: 2;
      readonly BITSTRING: 3;
      readonly OCTETSTRING: 4;
      readonly OID: 6;
      readonly UTF8: 12;
      readonly SEQUENCE: 16;
      readonly SET: 17;
      readonly UTCTIME: 23;
      readonly GENERALIZEDTIME: 24;
    };
    create(tagClass: number, type: number, constructed: boolean, value: string | Asn1[]): Asn1;
    toDer(object: Asn1): { getBytes(): string };
    /** `parseAllBytes` true: bytes after the value are an error. */
    fromDer(
      bytes: string,
      options: { strict: boolean; parseAllBytes: boolean; decodeBitStrings: boolean },
    ): Asn1;
    oidToDer(oid: string): { getBytes(): string };
    derToOid(bytes: string): string;
  };
  export default asn1;
  export type { Asn1 };
}
declare module 'node-forge/lib/util.js' {
  const util: {
    encode64(bytes: string, lineLength?: number): string;
    decode64(text: string): string;
  };
  export default util;
}
