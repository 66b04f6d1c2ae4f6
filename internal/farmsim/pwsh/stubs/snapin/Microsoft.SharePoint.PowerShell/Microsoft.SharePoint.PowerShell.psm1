# The snap-in of SharePoint 2016 and 2019: here a module, which Add-PSSnapin
# loads.

. (Join-Path -Path $PSScriptRoot -ChildPath '../../model.ps1')
. (Join-Path -Path $PSScriptRoot -ChildPath '../../sharepoint.ps1')

function New-SPTrustedSecurityTokenIssuer {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]
    param(
        [Parameter(Mandatory = $true, Position = 0)] [ValidateNotNullOrEmpty()] [string] $Name,
        [string] $Description,
        [Parameter(Mandatory = $true, ParameterSetName = 'ManualConfigParameterSet')] [string] $RegisteredIssuerName,
        [switch] $IsTrustBroker,
        [Parameter(Mandatory = $true, ParameterSetName = 'ManualConfigParameterSet')] [object] $Certificate,
        [Parameter(Mandatory = $true, ParameterSetName = 'MetadataEndPointParameterSet')] [uri] $MetadataEndPoint,
        [Parameter(ValueFromPipeline = $true)] [object] $AssignmentCollection
    )
    process { Invoke-Cmdlet -Cmdlet $PSCmdlet -Bound $PSBoundParameters }
}

function Set-SPTrustedSecurityTokenIssuer {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]
    param(
        [Parameter(Mandatory = $true, Position = 0, ValueFromPipeline = $true)] [ValidateNotNull()] [object] $Identity,
        [string] $Description,
        [Parameter(Mandatory = $true, ParameterSetName = 'ManualConfigParameterSet')] [string] $RegisteredIssuerName,
        [switch] $IsTrustBroker,
        [Parameter(Mandatory = $true, ParameterSetName = 'ManualConfigParameterSet')] [ValidateNotNull()] [object] $Certificate,
        [Parameter(Mandatory = $true, ParameterSetName = 'MetadataEndPointParameterSet')] [ValidateNotNull()] [uri] $MetadataEndPoint,
        [Parameter(ValueFromPipeline = $true)] [object] $AssignmentCollection
    )
    process { Invoke-Cmdlet -Cmdlet $PSCmdlet -Bound $PSBoundParameters }
}

Export-ModuleMember -Function *-SP*
