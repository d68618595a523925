// A real execution client over the Engine API.
import {NotSupported} from './interface.mjs';

/**
 * @param {import('../rpc.mjs').Rpc} engine
 * @param {import('../rpc.mjs').Rpc} execution
 * @param {'prague' | 'osaka'} hardfork
 * @returns {import('./interface.mjs').Backend}
 */
export function engineBackend(engine, execution, hardfork) {
  const getPayload = hardfork === 'osaka' ? 'engine_getPayloadV5' : 'engine_getPayloadV4';
  /** @param {import('./interface.mjs').Forkchoice} forkchoice */
  async function setHead(forkchoice) {
    const {payloadStatus} = await engine('engine_forkchoiceUpdatedV3', forkchoice, null);
    if (payloadStatus.status !== 'VALID') {
      throw new Error(`the execution client refuses the head: ${JSON.stringify(payloadStatus)}`);
    }
  }

  return {
    async start(forkchoice, attributes) {
      const answer = await engine('engine_forkchoiceUpdatedV3', forkchoice, attributes);
      if (!answer.payloadId) throw new Error(`the execution client begins no block: ${JSON.stringify(answer)}`);
      return answer.payloadId;
    },

    finish: (id) => engine(getPayload, id),

    async accept({executionPayload, executionRequests}, parentRoot) {
      const answer = await engine('engine_newPayloadV4', executionPayload, [], parentRoot, executionRequests);
      if (answer.status !== 'VALID') throw new Error(`the execution client refuses the block: ${JSON.stringify(answer)}`);
    },

    setHead,

    async rollback(_blocks, forkchoice) {
      await setHead(forkchoice);
    },

    resend: (transaction) => execution('eth_sendRawTransaction', transaction),

    snapshot() {
      throw new NotSupported('the Engine API has no snapshots: use the anvil backend');
    },
  };
}
