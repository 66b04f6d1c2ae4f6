# The module of SharePoint Server Subscription Edition.

. (Join-Path -Path $PSScriptRoot -ChildPath '../../model.ps1')
. (Join-Path -Path $PSScriptRoot -ChildPath '../../sharepoint.ps1')

function New-SPTrustedSecurityTokenIssuer {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]
    param(
        [Parameter(Mandatory = $true, Position = 0)] [ValidateNotNullOrEmpty()] [string] $Name,
        [ValidateNotNullOrEmpty()] [string] $Description,
        [ValidateNotNullOrEmpty()] [string] $RegisteredIssuerName,
        [ValidateNotNullOrEmpty()] [switch] $IsTrustBroker,
        [Parameter(Mandatory = $true, ParameterSetName = 'ImportCertificateParameterSet')] [ValidateNotNull()] [object] $Certificate,
        [Parameter(Mandatory = $true, ParameterSetName = 'MetadataEndPointParameterSet')] [ValidateNotNull()] [uri] $MetadataEndPoint,
        [Parameter(ValueFromPipeline = $true)] [object] $AssignmentCollection
    )
    process { Invoke-Cmdlet -Cmdlet $PSCmdlet -Bound $PSBoundParameters }
}

function Set-SPTrustedSecurityTokenIssuer {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]
    param(
        [Parameter(Mandatory = $true, Position = 0, ValueFromPipeline = $true)] [ValidateNotNull()] [object] $Identity,
        [ValidateNotNullOrEmpty()] [string] $Description,
        [string] $RegisteredIssuerName,
        [Parameter(ParameterSetName = 'MetadataEndPointParameterSet')] [ValidateNotNull()] [uri] $MetadataEndPoint,
        [Parameter(ParameterSetName = 'ImportCertificateParameterSet')] [ValidateNotNull()] [object] $Certificate,
        [ValidateNotNullOrEmpty()] [switch] $IsTrustBroker,
        [Parameter(ValueFromPipeline = $true)] [object] $AssignmentCollection
    )
    process { Invoke-Cmdlet -Cmdlet $PSCmdlet -Bound $PSBoundParameters }
}

Export-ModuleMember -Function *-SP*
