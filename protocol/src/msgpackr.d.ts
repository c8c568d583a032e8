// msgpackr publishes its build without `new Function` untyped; these are the two classes used of it.
declare module 'msgpackr/index-no-eval' {
  export { Packr, Unpackr } from 'msgpackr';
}
