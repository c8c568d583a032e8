/** A certificate and its private key from PEM files, looked at before the server starts. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { TracewireError } from '@tracewire/protocol';

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

export interface Tls {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Something a person should see to, such as a certificate past its end. */
  readonly warning?: string;
}

/** Throws `bad_configuration` naming the file that is missing, no PEM, or doesn't fit the other. */
export function readTls({ cert: certFile, key: keyFile }: TlsFiles): Tls {
  const [cert, key] = [read('certificate', certFile), read('private key', keyFile)];
  const certificate = parse(() => new X509Certificate(cert), `${certFile} holds no certificate in PEM form`);
  const privateKey = parse(
    () => createPrivateKey(key),
    `${keyFile} holds no private key in PEM form, or one that is locked by a passphrase`,
  );
  if (!certificate.checkPrivateKey(privateKey)) {
    throw fault(`The private key ${keyFile} is not that of the certificate ${certFile}.`);
  }
  parse(() => createSecureContext({ cert, key }), `${certFile} and ${keyFile} can’t be used together`);
  const ended = Date.parse(certificate.validTo) < Date.now();
  return { cert, key, ...(ended ? { warning: `${certFile} expired on ${certificate.validTo}` } : {}) };
}

function read(what: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw fault(`Can’t read the ${what} ${file}: ${error instanceof Error ? error.message : error}.`);
  }
}

function parse<T>(make: () => T, what: string): T {
  try {
    return make();
  } catch (error) {
    throw fault(`${what} (${error instanceof Error ? error.message : error}).`);
  }
}

function fault(message: string): TracewireError {
  return new TracewireError({ code: 'bad_configuration', message });
}
