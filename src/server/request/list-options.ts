import * as fieldError from '../../api/field-error.ts';
import { badRequest, invalid } from '../../api/status-error.ts';
import { booleanParameter, integerParameter, isGiven, type Query, stringParameter } from './query.ts';

/** metav1.ListOptions, as far as they apply to one node. */
export interface ListOptions {
  readonly labelSelector: string | undefined;
  readonly fieldSelector: string | undefined;
  readonly watch: boolean;
  readonly allowWatchBookmarks: boolean;
  readonly sendInitialEvents: boolean | undefined;
  readonly resourceVersion: string | undefined;
  readonly resourceVersionMatch: string | undefined;
  readonly timeoutSeconds: number | undefined;
  readonly limit: number | undefined;
  readonly continue: string | undefined;
}

/** @throws StatusError 400 on values of the wrong type, 422 on combinations that contradict each other. */
export function parseListOptions(query: Query): ListOptions {
  const options: ListOptions = {
    labelSelector: stringParameter(query, 'labelSelector'),
    fieldSelector: stringParameter(query, 'fieldSelector'),
    watch: booleanParameter(query, 'watch'),
    allowWatchBookmarks: booleanParameter(query, 'allowWatchBookmarks'),
    sendInitialEvents: isGiven(query, 'sendInitialEvents') ? booleanParameter(query, 'sendInitialEvents') : undefined,
    resourceVersion: stringParameter(query, 'resourceVersion'),
    resourceVersionMatch: stringParameter(query, 'resourceVersionMatch'),
    timeoutSeconds: integerParameter(query, 'timeoutSeconds'),
    limit: integerParameter(query, 'limit'),
    continue: stringParameter(query, 'continue'),
  };
  if (options.limit !== undefined && options.limit < 0) throw badRequest('limit: must not be negative');
  const errors = check(options);
  if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', errors);
  return options;
}

/** The rules of k8s.io/apimachinery's ValidateListOptions. */
function check(options: ListOptions): fieldError.FieldError[] {
  const { watch, resourceVersion, resourceVersionMatch: match, sendInitialEvents } = options;
  const errors: fieldError.FieldError[] = [];
  const forbid = (field: string, why: string) => errors.push(fieldError.forbidden(field, why));
  if (watch) {
    if (sendInitialEvents !== undefined && match === undefined) {
      forbid('resourceVersionMatch', 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
    }
    if (match !== undefined && sendInitialEvents === undefined) {
      forbid(
        'resourceVersionMatch',
        'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
      );
    }
    if (match !== undefined && match !== 'NotOlderThan') {
      errors.push(fieldError.notSupported('resourceVersionMatch', match, ['NotOlderThan']));
    }
    if (options.continue !== undefined) forbid('continue', 'continue is forbidden for watch');
    return errors;
  }
  if (sendInitialEvents !== undefined) forbid('sendInitialEvents', 'sendInitialEvents is forbidden for list');
  if (match === undefined) return errors;
  if (options.continue !== undefined) forbid('resourceVersionMatch', 'resourceVersionMatch is forbidden with continue');
  if (resourceVersion === undefined) {
    forbid('resourceVersionMatch', 'resourceVersionMatch is forbidden unless resourceVersion is provided');
  }
  if (match !== 'Exact' && match !== 'NotOlderThan') {
    errors.push(fieldError.notSupported('resourceVersionMatch', match, ['Exact', 'NotOlderThan', '']));
  }
  if (match === 'Exact' && resourceVersion === '0') {
    forbid('resourceVersionMatch', 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
  }
  return errors;
}
