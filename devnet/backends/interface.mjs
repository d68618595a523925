/**
 * The execution half as the proposer uses it: as a consensus client talks to an execution client.
 *
 * @typedef {object} Forkchoice
 * @property {string} headBlockHash
 * @property {string} safeBlockHash
 * @property {string} finalizedBlockHash
 *
 * @typedef {object} Attributes PayloadAttributesV3 of the Engine API
 * @property {string} timestamp
 * @property {string} prevRandao
 * @property {string} suggestedFeeRecipient
 * @property {{index: string, validatorIndex: string, address: string, amount: string}[]} withdrawals
 * @property {string} parentBeaconBlockRoot
 *
 * @typedef {object} Payload
 * @property {any} executionPayload ExecutionPayloadV3
 * @property {string[]} executionRequests EIP-7685
 *
 * @typedef {object} Backend
 * @property {(forkchoice: Forkchoice, attributes: Attributes) => Promise<any>} start begin a block
 * @property {(id: any) => Promise<Payload>} finish
 * @property {(payload: Payload, parentRoot: string) => Promise<void>} accept import it
 * @property {(forkchoice: Forkchoice) => Promise<void>} setHead
 * @property {(blocks: number, forkchoice: Forkchoice) => Promise<void>} rollback drop the last blocks
 * @property {(transaction: string) => Promise<void>} resend take up a transaction of a block that was dropped
 * @property {() => Promise<(() => Promise<void>)>} snapshot a way back to this moment
 */

export class NotSupported extends Error {}
