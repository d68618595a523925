"""What can stop a deployment. Every message names the cause and what to do next."""


class DeploymentError(Exception):
    """A deployment cannot go on."""


class ParamsError(DeploymentError):
    """A parameter file is wrong; the message names each field."""


class ArgumentError(DeploymentError):
    """A value does not fit the ABI it is meant for."""


class ArtifactError(DeploymentError):
    """A compiled contract is missing or is not what the plan expects."""


class RegistryError(DeploymentError):
    """What is recorded does not belong to what is asked for."""


class ChainError(DeploymentError):
    """The chain is not the one the parameters name, or lacks something."""
