# The interface in SharePoint Server 2016 and 2019.

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

    if ($PSCmdlet.ShouldProcess($Name)) {
        Save-Issuer -Name $Name -RegisteredName $RegisteredIssuerName -Certificate $Certificate -Description $Description -TrustBroker $IsTrustBroker -Create $true
    }
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

    process {
        if ($PSCmdlet.ShouldProcess($Identity)) {
            Save-Issuer -Name $Identity -RegisteredName $RegisteredIssuerName -Certificate $Certificate -Description $Description -TrustBroker $IsTrustBroker -Create $false
        }
    }
}
